"""Apply trained models to new texts.

    from bertline.apply.classifier import Classifier
    from bertline.apply.topics import Topics

    Classifier("data/train/1")(["The boys has left the kitchen."])
    Topics("data/topic_words")(["The shuttle reached orbit."])

Each returns a data frame with a row per text. `bertline predict` applies them to files.
"""
