"""What a panel of teachers says of all recovered images, asked once and kept."""
