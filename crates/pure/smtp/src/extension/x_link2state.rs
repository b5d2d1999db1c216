//! X-LINK2STATE (Exchange 2000 and 2003): servers of an organisation tell each other the state of its
//! routing groups.
//!
//! `X-LINK2STATE FIRST CHUNK={...}`, in as many commands as it takes. Before AUTH it is refused; after it, what comes
//! is thrown away, and the other end hears that there is no news here. (A handler that read the chunks was
//! the hole of MS05-021.)
//!
//! As a client we never say it: a transfer agent without routing groups has no state that it could tell, and what it
//! made up would change how a real organisation routes.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::X_LINK2STATE,
    specified: "Exchange 2000",
    offered: Offered::Never,
    switch: "",
    server: "504 before AUTH; after it, what comes is thrown away.",
    client: "Never.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::X_LINK2STATE) {
        lines.push("X-LINK2STATE");
    }
}
