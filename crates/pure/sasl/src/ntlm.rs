//! NTLM (MS-NLMP): its three messages, and what both sides compute.
//!
//! Version 1 can be broken by whoever hears it, in a day and for good: it is never said, and taken only where
//! an administrator wants that. Signing and sealing are not asked for: over SMTP there is nothing that they
//! would protect.

mod first;
mod messages;
mod response;

pub(crate) use first::{First, is_first};
pub(crate) use messages::{
    Authenticate, Challenge, INTEGRITY_AT, Negotiate, flags, pair, target_info,
};
pub(crate) use response::{
    Response, binding_hash, find, integrity, key, nt_hash, proof, session_key, utf16,
};

/// Seconds since 1970 as NTLM has times: units of 100 ns since 1601.
pub(crate) fn file_time(now: u64) -> u64 {
    const EPOCH: u64 = 11_644_473_600;
    now.saturating_add(EPOCH).saturating_mul(10_000_000)
}
