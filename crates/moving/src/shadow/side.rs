//! The two servers that are asked.

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Salon,
    Upstream,
}

impl Side {
    pub fn word(self) -> &'static str {
        match self {
            Side::Salon => "salon",
            Side::Upstream => "upstream",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Side::Salon => Side::Upstream,
            Side::Upstream => Side::Salon,
        }
    }
}
