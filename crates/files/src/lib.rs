//! Files that people upload: where they lie, in a folder or an S3 bucket, and when they go.
//! Owns the bytes; which files there are, the store knows.
//! Invariant: the bytes of a file are there whole or not at all, and go before the row that knows them.
//! Next: `objects.rs`, then `sweep.rs`.

mod objects;
mod sweep;
mod uploads;
mod writer;

pub use object_store::{Error, GetRange};
pub use objects::{Bucket, Cut, Files, NotPut, Place, Settings, folder_of, put_elsewhere};
pub use sweep::{once as sweep_once, sweep};
pub use uploads::{Crowded, LEAST_BYTES, LEAST_WITHIN, UploadPlace};
