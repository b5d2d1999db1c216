//! `config show`: the values in effect.
