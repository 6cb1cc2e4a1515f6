//! The system's allocator, counting what each thread asks of it.
//!
//! ```
//! use aurora_counting_allocator::{Counting, counted};
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! let (_, allocated) = counted(|| std::hint::black_box(Box::new(7_u64)));
//! assert_eq!((allocated.times, allocated.bytes), (1, 8));
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Constant and without a destructor: looking at it allocates nothing, at any time.
    static TIMES: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    static FREED: Cell<u64> = const { Cell::new(0) };
}

/// The allocator: name it in a `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// What this thread allocated meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocated {
    /// How often memory was asked for, growing and shrinking included.
    pub times: u64,
    /// How many bytes, whatever became of them.
    pub bytes: u64,
    /// How many bytes of them, or of earlier ones, were given back.
    pub freed: u64,
}

fn add(counter: &'static std::thread::LocalKey<Cell<u64>>, amount: usize) {
    counter.set(counter.get().wrapping_add(amount as u64));
}

// SAFETY: every call is passed on to the system's allocator as it came, and what that returns is
// returned; counting touches only integers of the thread's own and cannot allocate or unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(&TIMES, 1);
        add(&BYTES, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        add(&FREED, layout.size());
        // SAFETY: `memory` came from `System` with this layout, as all memory of ours does.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(&TIMES, 1);
        add(&BYTES, layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(&TIMES, 1);
        add(&BYTES, size);
        add(&FREED, layout.size());
        // SAFETY: `memory` came from `System` with this layout, and the caller vouches for `size`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Runs `work` and says what this thread allocated meanwhile: nothing, wherever another allocator
/// is the global one.
pub fn counted<T>(work: impl FnOnce() -> T) -> (T, Allocated) {
    let read = || (TIMES.get(), BYTES.get(), FREED.get());
    let before = read();
    let result = work();
    let after = read();
    let times = after.0.wrapping_sub(before.0);
    let (bytes, freed) = (after.1.wrapping_sub(before.1), after.2.wrapping_sub(before.2));
    (result, Allocated { times, bytes, freed })
}
