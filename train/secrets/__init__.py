"""The rules by which credentials of known issuers are recognised, from the rules of betterleaks."""
