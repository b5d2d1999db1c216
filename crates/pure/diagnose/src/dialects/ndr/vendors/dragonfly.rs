//! DragonFly's mail agent (dma): `NAME [ADDRESS] did not like our COMMAND:` and the reply.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "dragonfly",
    signs: &[
        Sign::Text("this is the dragonfly mail agent"),
        Sign::Field("received", "(dragonfly mail agent"),
        Sign::Text("did not like our"),
    ],
    refine: None,
};
