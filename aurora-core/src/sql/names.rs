//! Names of functions as the server would store them, without allocation.

/// As long as the longer names of both families get: 64 characters of MySQL.
const ROOM: usize = 64;

/// One name, or a schema and a name with a point between.
pub(super) struct Names {
    bytes: [u8; 2 * ROOM + 1],
    length: usize,
    /// What is longer is cut off.
    longest: usize,
}

impl Names {
    pub(super) fn new(longest: usize) -> Self {
        Self { bytes: [0; 2 * ROOM + 1], length: 0, longest: longest.min(ROOM) }
    }

    pub(super) fn all(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push_byte(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(self.length) {
            *free = byte;
            self.length += 1;
        }
    }

    /// Appends a name, in which a doubled quote stands for one. Says how many bytes it took, and
    /// whether that was all of it.
    pub(super) fn push(&mut self, name: &[u8], quote: Option<u8>, fold: bool) -> (usize, bool) {
        let start = self.length;
        let mut bytes = name.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if self.length - start == self.longest {
                return (self.longest, false);
            }
            if Some(byte) == quote {
                bytes.next_if_eq(&byte);
            }
            self.push_byte(if fold { byte.to_ascii_lowercase() } else { byte });
        }
        (self.length - start, true)
    }

    /// The server cuts between characters: drops the bytes of a last, incomplete one of the name
    /// that begins at `start`.
    pub(super) fn cut_to_character(&mut self, start: usize) {
        if let Err(error) = std::str::from_utf8(&self.bytes[start..self.length]) {
            self.length = start + error.valid_up_to();
        }
    }
}
