//! The allocator: mimalloc, asked in the way that costs least.
//!
//! The `mimalloc` crate sends every request through `mi_malloc_aligned`, some 80 instructions more than
//! `mi_malloc`, which aligns to 16 bytes anyway (callgrind, mimalloc 3).

use libmimalloc_sys as mi;
use std::alloc::{GlobalAlloc, Layout};

/// What mimalloc aligns every block to (`MI_MAX_ALIGN_SIZE`), as malloc must on all 64-bit systems.
const NATURAL_ALIGN: usize = 16;

/// The global allocator of the binary.
pub struct Mimalloc;

// SAFETY: mimalloc is a correct allocator: blocks are disjoint, live until they are freed, and may be freed on
// any thread; none of these functions unwinds. Each method hands it a size and an alignment as `Layout` has
// them, and asks for the alignment wherever it is more than every block has.
unsafe impl GlobalAlloc for Mimalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // `mi_malloc` aligns a block of 8 bytes or less to 8 only.
        if layout.align() <= NATURAL_ALIGN && layout.align() <= layout.size() {
            // SAFETY: any size may be asked for.
            unsafe { mi::mi_malloc(layout.size()) }.cast()
        } else {
            // SAFETY: a layout's alignment is a power of two.
            unsafe { mi::mi_malloc_aligned(layout.size(), layout.align()) }.cast()
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= NATURAL_ALIGN && layout.align() <= layout.size() {
            // SAFETY: any size may be asked for.
            unsafe { mi::mi_zalloc(layout.size()) }.cast()
        } else {
            // SAFETY: a layout's alignment is a power of two.
            unsafe { mi::mi_zalloc_aligned(layout.size(), layout.align()) }.cast()
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller says that `block` came from this allocator and is given up.
        unsafe { mi::mi_free(block.cast()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller says that `block` came from this allocator; the alignment is that of its layout.
        unsafe { mi::mi_realloc_aligned(block.cast(), size, layout.align()) }.cast()
    }
}
