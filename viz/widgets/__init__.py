"""Widgets: what the browser draws by itself, fed with arrays."""
