//! MailMarshal: `Could not be delivered because of`, the reply, then `The following recipients were affected:`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "mailmarshal",
    signs: &[
        Sign::Text("could not be delivered because of"),
        Sign::Field("x-mailer", "mailmarshal"),
        Sign::Field("received", "mailmarshal"),
    ],
    refine: None,
};
