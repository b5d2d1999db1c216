//! XRDST (Exchange 2013 and later): where in the organisation a message is to go.
//!
//! A parameter of MAIL and RCPT, `XRDST=value`. Where it is offered, it is read and thrown away.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::reply::Reply;

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::XRDST,
    specified: "Exchange 2013",
    offered: Offered::Never,
    switch: "",
    server: "The parameter is read and thrown away.",
    client: "Never.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::XRDST) {
        lines.push("XRDST");
    }
}

pub(super) fn read<T>(_: &Ground<'_>, value: Option<&str>, _: &mut T) -> Result<(), Reply> {
    super::any_value("XRDST", value)
}
