//! OpenSMTPD: `recipient: reply`, below a sentence from `the MAILER-DAEMON`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "opensmtpd",
    signs: &[
        Sign::Text("this is the mailer-daemon, please do not reply to this e"),
        Sign::Field("received", "(opensmtpd)"),
    ],
    refine: None,
};
