"""Who owns a listening socket: process, user, unit, container, pod."""
