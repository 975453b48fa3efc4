"""Hook dialects of other products: each a pure map in and a pure map out, over three shared verifiers."""
