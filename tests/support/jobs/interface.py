def priority(length: float, weight: float, waited: float) -> float:
    """Priority of a waiting job; the highest runs next."""
