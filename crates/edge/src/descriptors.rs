//! How many files and connections the system lets this process have at once.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as is needed and allowed; answers with what it is then.
///
/// # Errors
/// If the system does not let itself be asked.
pub fn raise_descriptors(needed: usize) -> io::Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if number(current) >= needed || number(current) >= number(maximum) {
        return Ok(number(current));
    }
    let raised = needed.min(number(maximum));
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised as u64), maximum })?;
    Ok(raised)
}
