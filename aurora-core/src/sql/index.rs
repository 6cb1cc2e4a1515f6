//! A hash index over a fixed list of names, built by the compiler.

/// The hash of a name (FNV-1a: short names, no hostile ones in a fixed list).
pub(crate) const fn hash(name: &[u8]) -> u32 {
    let (mut hash, mut at) = (0x811c_9dc5_u32, 0);
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash ^ (hash >> 15)
}

/// Open addressing: the place of a name is at its hash, or at the next free slot after it. `SLOTS`
/// is a power of two, at least twice the number of names.
pub(crate) struct Index<const SLOTS: usize>([u16; SLOTS]);

impl<const SLOTS: usize> Index<SLOTS> {
    pub(crate) const fn new() -> Self {
        assert!(SLOTS.is_power_of_two());
        Self([0; SLOTS])
    }

    /// Adds the name at place `place` of the list.
    pub(crate) const fn insert(&mut self, name: &[u8], place: usize) {
        assert!(2 * place < SLOTS && place < u16::MAX as usize, "the list has outgrown its index");
        let mut slot = hash(name) as usize & (SLOTS - 1);
        while self.0[slot] != 0 {
            slot = (slot + 1) & (SLOTS - 1);
        }
        self.0[slot] = place as u16 + 1;
    }

    /// The place for which `is` holds, of those where a name with this hash can be.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mut slot = hash as usize & (SLOTS - 1);
        // Ends: at most half of the slots are taken.
        while self.0[slot] != 0 {
            let place = usize::from(self.0[slot] - 1);
            if is(place) {
                return Some(place);
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
        None
    }
}
