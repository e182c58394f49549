"""The alert contract, the ledger and outbox, the bus, the alert store and case updates."""
