//! hMailServer: `Your message did not reach some or all of the intended recipients.` with `Sent:` and `Subject:`, then the reply.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor =
    Vendor { name: "hmailserver", signs: &[Sign::Text("hmailserver")], refine: None };
