//! Yandex: Postfix' words and a machine-readable part.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "yandex",
    signs: &[
        Sign::Field("received", "mail.yandex.net"),
        Sign::Field("from", "@yandex.ru"),
        Sign::Field("x-yandex-forward", ""),
    ],
    refine: None,
};
