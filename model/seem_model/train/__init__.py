"""Training: `python -m seem_model.train CONFIG --data FOLDER --out FOLDER`."""
