"""The methods, one file each, behind an explicit registry."""
