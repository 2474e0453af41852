//! One recording, in a process of its own: `salon recorder`, which is told a job and says how it goes.
//! Reading order: `job` (what is said between the server and a recorder).

pub mod job;
