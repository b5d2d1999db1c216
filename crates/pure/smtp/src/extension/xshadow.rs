//! XSHADOW (Exchange 2010 and later): shadow redundancy: whose copy of a message this is.
//!
//! A parameter of MAIL and RCPT, `XSHADOW=value`. Where it is offered, it is read and thrown away.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::reply::Reply;

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::XSHADOW,
    specified: "Exchange 2010",
    offered: Offered::Never,
    switch: "",
    server: "The parameter is read and thrown away.",
    client: "Never.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::XSHADOW) {
        lines.push("XSHADOW");
    }
}

pub(super) fn read<T>(_: &Ground<'_>, value: Option<&str>, _: &mut T) -> Result<(), Reply> {
    super::any_value("XSHADOW", value)
}
