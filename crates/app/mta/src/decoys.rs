//! The key that the salts of users who don't exist are made with (RFC 5802 section 9): the same after each
//! start, or a salt that changes would tell who does not exist. The marks of who is known where are made
//! with it, too.

use std::io;

use sasl::Secret;
use world::{World, disk};

use crate::{agent::StartError, config::Config};

const NAME: &str = "decoys.key";
const LENGTH: u64 = 32;

/// Reads it, or makes it at first start. One that can't be kept serves until the end.
///
/// # Errors
/// There is no randomness.
pub fn prepare(world: &World, config: &Config) -> Result<Secret, StartError> {
    match disk::read_whole(world.disk.as_ref(), &config.data.join(NAME), LENGTH) {
        Ok(key) if key.len() as u64 == LENGTH => return Ok(Secret::new(key)),
        Ok(_) => tracing::warn!(file = NAME, "it is no key; another one is made"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(file = NAME, %error, "can't be read; another one is made"),
    }
    let key: [u8; LENGTH as usize] = world.random.secret().map_err(StartError::Decoys)?;
    if let Err(error) = disk::replace(world.disk.as_ref(), &config.data, NAME, &key) {
        tracing::warn!(file = NAME, %error, "can't be kept: unknown users' salts change with each start");
    }
    Ok(Secret::new(key.to_vec()))
}
