def priority(length, weight, waited):
    urgency = 0.5 * waited
    if length > 8.0:
        urgency = urgency + 1.0
    return urgency + 0.1 * weight - 0.2 * length
