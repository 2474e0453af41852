//! Leave to upload a file for the chat; the file itself goes another way and is announced by a message.
//! Next: `chat.rs`, which judges that message.

use crate::ids::ParticipantId;
use crate::preset::Preset;
use crate::session::rate::Act;
use crate::session::{Refusal, Session};
use crate::time::Timestamp;

impl Session {
    /// Whether this person may upload a file now; counts it if so.
    ///
    /// # Errors
    /// `NotJoined` for those who are not in, or wait; `NotAllowed` if the preset lets them send files to nobody;
    /// `TooOften`.
    pub fn upload(&mut self, now: Timestamp, participant: &ParticipantId) -> Result<(), Refusal> {
        self.tick(now);
        let peers = self.roster.peers().filter(|peer| self.present(peer).is_some_and(|it| it.who.participant == *participant));
        let presets: Vec<&Preset> = peers.filter_map(|peer| Some(&self.roster.get(peer)?.preset)).collect();
        if presets.is_empty() {
            return Err(Refusal::NotJoined);
        }
        if !presets.into_iter().any(may_send_files) {
            return Err(Refusal::NotAllowed);
        }
        self.take_rate_of(participant, Act::Upload, 1)
    }
}

/// To everyone or to some. Whoever others cannot see has no voice.
fn may_send_files(preset: &Preset) -> bool {
    let (public, private) = (&preset.public_chat, &preset.private_chat);
    !preset.hidden && ((public.can_send && public.files) || (private.can_send && private.files))
}
