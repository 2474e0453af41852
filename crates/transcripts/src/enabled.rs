//! Those whose presets have written down what they say, of all who were in a session that is listened to, also when they have
//! left: whoever writes the rest after a crash can ask nobody else any more.
//! Owns a file beside the parts of the robot's folder. Invariant: whoever is in here is in the file.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use salon_core::ParticipantId;
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// An id on each line.
const FILE: &str = "enabled";

pub struct Enabled {
    folder: PathBuf,
    who: HashSet<ParticipantId>,
}

impl Enabled {
    /// Those who are known in a folder, which may not be there yet.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn of(folder: &Path) -> io::Result<Self> {
        let bytes = match fs::read(folder.join(FILE)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        // A line that a crash has cut is nobody's id.
        let text = String::from_utf8_lossy(&bytes);
        let who = text.lines().filter_map(|line| ParticipantId::parse(line).ok()).collect();
        Ok(Self { folder: folder.to_path_buf(), who })
    }

    pub fn who(&self) -> &HashSet<ParticipantId> {
        &self.who
    }

    /// Adds these once they are on disk.
    ///
    /// # Errors
    /// They cannot be written down, and are not in.
    pub async fn add(&mut self, these: &BTreeSet<ParticipantId>) -> io::Result<()> {
        let new: Vec<ParticipantId> = these.iter().filter(|id| !self.who.contains(*id)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        // What a crash has cut is a line of its own.
        let lines: String = new.iter().map(|id| format!("\n{id}")).collect::<String>() + "\n";
        fs::create_dir_all(&self.folder).await?;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.folder.join(FILE)).await?;
        file.write_all(lines.as_bytes()).await?;
        file.sync_all().await?;
        // The file's name as well.
        fs::File::open(&self.folder).await?.sync_all().await?;
        self.who.extend(new);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(texts: [&str; N]) -> BTreeSet<ParticipantId> {
        texts.map(|text| ParticipantId::parse(text).expect("an id")).into()
    }

    fn who(enabled: &Enabled) -> BTreeSet<ParticipantId> {
        enabled.who().iter().cloned().collect()
    }

    #[tokio::test]
    async fn whoever_was_enabled_is_known_after_a_crash_also_one_in_the_middle_of_a_line() {
        let folder = std::env::temp_dir().join(format!("salon-enabled-{}", std::process::id()));
        let mut enabled = Enabled::of(&folder).await.expect("nobody yet");
        assert!(who(&enabled).is_empty());
        enabled.add(&ids(["ana", "bo"])).await.expect("written");
        let mut again = Enabled::of(&folder).await.expect("read");
        assert_eq!((who(&enabled), who(&again)), (ids(["ana", "bo"]), ids(["ana", "bo"])));
        let cut = [std::fs::read(folder.join(FILE)).expect("a file"), b"\ncle".to_vec()].concat();
        std::fs::write(folder.join(FILE), cut).expect("written");
        again.add(&ids(["bo", "dan"])).await.expect("written");
        let last = Enabled::of(&folder).await.expect("read");
        assert_eq!(who(&last), ids(["ana", "bo", "cle", "dan"]), "what was cut is nobody's id");
        assert!(Enabled::of(&folder.join(FILE)).await.is_err(), "what cannot be read is not nobody");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
