//! Postfix: `host NAME[ADDRESS] said: REPLY (in reply to COMMAND command)` names speaker and stage.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "postfix",
    signs: &[
        Sign::Text("this is the postfix program"),
        Sign::Text("this is the mail system at host"),
        Sign::Status("x-postfix-queue-id"),
        Sign::Field("received", "(postfix)"),
        Sign::Text("(in reply to rcpt to command)"),
        Sign::Text("(in reply to end of data command)"),
        Sign::Text("(in reply to mail from command)"),
    ],
    refine: None,
};
