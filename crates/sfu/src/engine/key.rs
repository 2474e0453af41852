//! What transports and producers are called inside the engine.

/// A transport inside the engine; unlike its id it is cheap to hash and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(pub u64);

/// A producer inside the engine; unlike its id it is cheap to hash and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ProducerKey(pub u64);
