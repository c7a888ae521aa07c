"""Second implementations: slow, exact, and made in another way than what they are held against."""
