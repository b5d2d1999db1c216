//! What the words about one recipient tell: the reply, whose it is, and the stage.
//!
//! The phrases are those of many mailers, because each quotes the others: an Exim bounce may carry a
//! Postfix reply that carries a Sendmail one. The outermost decides.

mod derived;
mod reply;
mod speaker;
mod stage;

pub(super) use derived::stage as derived_stage;
pub(super) use reply::find as reply;
pub(super) use speaker::{above_dialogue, find as speaker};
pub(super) use stage::{find as stage, in_dialogue};
