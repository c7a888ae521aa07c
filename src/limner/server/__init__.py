"""The HTTP server: one engine, three faces (the plain API, the shape of Hugging Face, the Open Inference Protocol) and a page."""
