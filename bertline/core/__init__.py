"""What every room stands on: errors, parameters, files, hashes, receipts, checkpoints.

Nothing here knows of corpora, encoders or topics, and nothing here imports another room.
"""
