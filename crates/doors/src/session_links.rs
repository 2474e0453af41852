//! Links to what is kept of a session in words: its chat, its transcript, its summary. Each is its own credential.
//! Invariant: the signature covers the session, which document in which form, and the expiry; nothing else is asked.
//! Next: `rest/session_chat.rs` and `rest/transcripts.rs`, what they lead to.

use salon_core::{SessionId, Timestamp};
use salon_wire::rest::sessions::{ChatFormat, TranscriptFormat};

use crate::tokens::Tokens;

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    Chat(ChatFormat),
    Transcript(TranscriptFormat),
    /// What everybody in a live session was told so far.
    LiveTranscript,
    Summary,
}

impl Document {
    const ALL: [Self; 8] = [
        Self::Chat(ChatFormat::Csv),
        Self::Chat(ChatFormat::Json),
        Self::Transcript(TranscriptFormat::Csv),
        Self::Transcript(TranscriptFormat::Json),
        Self::Transcript(TranscriptFormat::Srt),
        Self::Transcript(TranscriptFormat::Vtt),
        Self::LiveTranscript,
        Self::Summary,
    ];

    /// Where it is, before the name of its file, and what that ends in.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat(ChatFormat::Csv) => ("downloads/chat", "csv"),
            Self::Chat(ChatFormat::Json) => ("downloads/chat", "json"),
            Self::Transcript(TranscriptFormat::Csv) => ("files/transcripts", "csv"),
            Self::Transcript(TranscriptFormat::Json) => ("files/transcripts", "json"),
            Self::Transcript(TranscriptFormat::Srt) => ("files/transcripts", "srt"),
            Self::Transcript(TranscriptFormat::Vtt) => ("files/transcripts", "vtt"),
            Self::LiveTranscript => ("files/transcripts", "live.csv"),
            Self::Summary => ("files/transcripts", "summary.txt"),
        }
    }

    /// What a link to this file in that place leads to, and of which session.
    pub fn of(place: &str, file: &str) -> Option<(Self, SessionId)> {
        let (session, ending) = file.split_once('.')?;
        let found = Self::ALL.into_iter().find(|document| document.place() == (place, ending))?;
        Some((found, SessionId::parse(session).ok()?))
    }

    /// A link that is good until then, from a server that is reached `here`.
    pub fn link(self, tokens: &Tokens, here: &str, session: &SessionId, expires: Timestamp) -> String {
        let (place, ending) = self.place();
        let signature = tokens.sign_link(&self.subject(session, expires));
        format!("{here}/{place}/{session}.{ending}?expires={}&signature={signature}", expires.0)
    }

    /// Whether we made such a link.
    pub fn verify(self, tokens: &Tokens, session: &SessionId, expires: Timestamp, signature: &str) -> bool {
        tokens.verify_link(&self.subject(session, expires), signature)
    }

    /// What a signature is of.
    fn subject(self, session: &SessionId, expires: Timestamp) -> String {
        let (place, ending) = self.place();
        match self {
            // As links of earlier versions have it.
            Self::Chat(_) => format!("chat\n{session}\n{ending}\n{}", expires.0),
            _ => format!("{place}\n{session}\n{ending}\n{}", expires.0),
        }
    }
}

/// In whole seconds, as what is told of it has it.
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp(at.0 / 1_000 * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_one_document_of_one_session() {
        let tokens = Tokens::new(b"secret", 1);
        let (session, other) = (SessionId::parse("s-1").expect("an id"), SessionId::parse("s-2").expect("an id"));
        let at = Timestamp(1_760_000_000_000);
        for document in Document::ALL {
            let link = document.link(&tokens, "https://salon.example", &session, at);
            let (path, query) =
                link.strip_prefix("https://salon.example/").and_then(|rest| rest.split_once('?')).expect("a query");
            let (place, file) = path.rsplit_once('/').expect("a folder");
            assert_eq!(Document::of(place, file), Some((document, session.clone())));
            let signature = query.rsplit_once("signature=").expect("a signature").1;
            assert!(document.verify(&tokens, &session, at, signature));
            assert!(
                !document.verify(&tokens, &other, at, signature) && !document.verify(&tokens, &session, Timestamp(1), signature)
            );
            let others = Document::ALL.into_iter().filter(|other| *other != document);
            assert!(others.into_iter().all(|other| !other.verify(&tokens, &session, at, signature)), "{document:?}");
        }
        for (place, file) in [("files/transcripts", "s-1.exe"), ("downloads/chat", "s-1.srt"), ("files/transcripts", "../x.csv")]
        {
            assert_eq!(Document::of(place, file), None);
        }
    }
}
