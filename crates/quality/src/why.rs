//! Why a track was as it was, as it is stored: the more telling, the greater the number, so that of a bucket the most
//! telling is kept. Numbers and names are stored promises.

use salon_sfu::Because;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Why {
    Best = 10,
    OneSize = 20,
    AskedFor = 30,
    NotSent = 40,
    Paused = 50,
    Unanswered = 60,
    NothingYet = 70,
    NothingSent = 80,
    NotAllowed = 90,
    Line = 100,
}

impl Why {
    pub const ALL: [Self; 10] = [
        Self::Best,
        Self::OneSize,
        Self::AskedFor,
        Self::NotSent,
        Self::Paused,
        Self::Unanswered,
        Self::NothingYet,
        Self::NothingSent,
        Self::NotAllowed,
        Self::Line,
    ];

    /// None for a number of a later version.
    pub fn read(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|why| *why as u32 == number)
    }

    /// The word that [`Because::name`] has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::OneSize => "one_size",
            Self::AskedFor => "asked_for",
            Self::NotSent => "not_sent",
            Self::Paused => "paused",
            Self::Unanswered => "unanswered",
            Self::NothingYet => "nothing_yet",
            Self::NothingSent => "nothing_sent",
            Self::NotAllowed => "not_allowed",
            Self::Line => "line",
        }
    }
}

impl From<&Because> for Why {
    fn from(because: &Because) -> Self {
        match because {
            Because::Best => Self::Best,
            Because::OneSize => Self::OneSize,
            Because::AskedFor(_) => Self::AskedFor,
            Because::NotSent(_) => Self::NotSent,
            Because::Paused => Self::Paused,
            Because::Unanswered => Self::Unanswered,
            Because::NothingYet => Self::NothingYet,
            Because::NothingSent => Self::NothingSent,
            Because::NotAllowed { .. } => Self::NotAllowed,
            Because::Line { .. } => Self::Line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_by_the_words_the_live_answer_has() {
        let all = [
            Because::Best,
            Because::OneSize,
            Because::AskedFor("f".into()),
            Because::NotSent("f".into()),
            Because::Paused,
            Because::Unanswered,
            Because::NothingYet,
            Because::NothingSent,
            Because::Line { carries: None },
        ];
        for because in &all {
            let why = Why::from(because);
            assert_eq!(why.name(), because.name());
            assert_eq!(Why::read(why as u32), Some(why));
        }
        assert!(Why::ALL.is_sorted(), "the most telling last");
        assert_eq!(Why::read(11), None);
    }
}
