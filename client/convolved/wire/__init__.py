"""What travels between client and server, apart from the calls themselves."""
