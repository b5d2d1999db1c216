//! Mail.Ru: Exim's words.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "mail-ru",
    signs: &[
        Sign::Field("from", "@corp.mail.ru"),
        Sign::Field("from", "mailer-daemon@mail.ru"),
        Sign::Field("received", "smailru.net"),
        Sign::Field("received", "mail.ru ("),
    ],
    refine: None,
};
