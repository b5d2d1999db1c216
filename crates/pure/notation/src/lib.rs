//! How people write durations, sizes, networks and lists in a configuration: read strictly, with an
//! error that shows what would be right, and written back in the same form.

pub mod network;
pub mod one_or_many;
pub mod units;

pub use network::Network;
