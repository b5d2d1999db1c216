//! Exim: the recipient indented on a line of its own, below it `SMTP error from remote mail server after COMMAND: host NAME [ADDRESS]: REPLY`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "exim",
    signs: &[
        Sign::Field("x-failed-recipients", "@"),
        Sign::Text("this message was created automatically by mail delivery software"),
        Sign::Text("a message that you sent could not be delivered to one or more of its"),
        Sign::Text("smtp error from remote mail"),
    ],
    refine: None,
};
