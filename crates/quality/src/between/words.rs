//! What the rungs are in a sentence, with a subject and a place. Pure.

use salon_core::PeerId;

use super::{Medium, Off, Rung, Stretch};

/// Whom a sentence is about.
pub struct Names<'a> {
    pub speaker: &'a str,
    pub listener: &'a str,
    /// What a peer is called.
    pub of: &'a dyn Fn(&PeerId) -> String,
}

impl Stretch {
    /// Such as `Ben's microphone was switched off by Ann.`
    pub fn sentence(&self, medium: Medium, names: &Names<'_>) -> String {
        let Names { speaker, listener, of } = names;
        let (device, sound, packets) = match medium {
            Medium::Sound => ("microphone", "sound", "sound"),
            Medium::Picture => ("camera", "picture", "pictures"),
        };
        let loss = match self.loss {
            Some(loss) if loss > 0 => format!("up to {} % of packets were lost", (f64::from(loss) / 10.0).round()),
            _ => "packets came late or not at all".to_owned(),
        };
        match &self.rung {
            Rung::SpeakerAway => format!("{speaker} was not in the session."),
            Rung::ListenerAway => format!("{listener} was not in the session."),
            Rung::NotPublished { refused: true } => {
                format!("{speaker} offered no {sound}: the browser says that it was not let use the {device}.")
            }
            Rung::NotPublished { refused: false } => format!("{speaker} offered no {sound}."),
            Rung::SwitchedOff(Off::Itself) => format!("{speaker} had switched the {device} off."),
            Rung::SwitchedOff(Off::Api) => format!("{speaker}'s {device} had been switched off by a call of the API."),
            Rung::SwitchedOff(Off::Peer(by)) => format!("{speaker}'s {device} had been switched off by {}.", of(by)),
            Rung::NothingArrives => format!("{speaker}'s {device} was on, and nothing of it reached the server."),
            Rung::Silent { muted_in_system: true } => {
                format!("{speaker}'s {device} gave nothing but silence: the browser says that the system had it muted.")
            }
            Rung::Silent { muted_in_system: false } => {
                format!("{speaker}'s {device} gave nothing but silence: muted in the system, or not working.")
            }
            Rung::DamagedUpstream => format!("{speaker}'s {sound} reached the server damaged: on {speaker}'s line {loss}."),
            Rung::NotAsked => {
                format!("{speaker}'s {sound} reached the server, and {listener}'s app did not ask for it.")
            }
            Rung::Unanswered => {
                format!("{listener}'s app asked for {speaker}'s {sound} and did not answer the server's offer of it.")
            }
            Rung::NotAllowed => format!("What came of {speaker}'s {sound} is more than {speaker}'s preset allows."),
            Rung::DamagedDownstream => {
                format!("{speaker}'s {sound} reached the server complete. On {listener}'s line {loss}.")
            }
            Rung::NotSent => format!("{speaker}'s {sound} reached the server, which sent nothing of it to {listener}."),
            Rung::PlayBlocked => format!(
                "{speaker}'s {packets} reached {listener}: the browser says that it did not play before somebody clicked."
            ),
            Rung::NoVoice => format!("{speaker}'s sound reached {listener}, and there was no voice in it."),
            Rung::Arrived => format!(
                "{speaker}'s {packets} reached {listener}. What is left is {listener}'s device: output, volume, a muted tab."
            ),
            Rung::Unknown => "Not enough was measured to say.".to_owned(),
        }
    }
}
