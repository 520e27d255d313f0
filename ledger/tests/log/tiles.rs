//! Tiles: addresses and growth against `tlog_tiles`, the edge against the frontier, and reading what a stranger brought.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_ledger::tile::{
    Edge, EdgeError, MAX_EDGE_BYTES, TILE_WIDTH, TileAddress, TileError, VerifiedTiles, new_tiles, partial_tiles,
    tiles_for,
};
use chartseal_ledger::tree::{
    Frontier, HashReader, Leaves, MAX_TREE_SIZE, Node, Span, consistency, inclusion, range, root, subtree_hash,
};
use proptest::prelude::*;

use crate::sample::leaves_cheaply;

type Stored = BTreeMap<TileAddress, Vec<u8>>;

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// A log's tiles as its sealer leaves them: full ones as they became full, and the edge's.
fn written(leaves: &[Hash]) -> (Edge, Stored) {
    let mut edge = Edge::new();
    let mut tiles = Stored::new();
    for &leaf in leaves {
        edge.push(leaf, |address, hashes| assert!(tiles.insert(address, bytes(hashes)).is_none(), "{address} twice"))
            .unwrap();
    }
    tiles.extend(edge.tiles().map(|(address, hashes)| (address, bytes(hashes))));
    (edge, tiles)
}

fn path(text: &str) -> Option<TileAddress> {
    text.parse().ok()
}

#[test]
fn the_largest_tree_has_eight_levels_of_tiles() {
    let partial = partial_tiles(MAX_TREE_SIZE);
    assert_eq!(partial.len(), 8);
    assert_eq!(partial[7].to_string(), "tile/7/000.p/127");
    assert_eq!(partial[0].to_string(), "tile/0/x036/x028/x797/x018/x963/967.p/255");
    assert_eq!(partial.iter().map(|tile| path(&tile.to_string())).collect::<Option<Vec<_>>>(), Some(partial));
    for beyond in [
        "tile/7/000.p/128",
        "tile/7/000",
        "tile/7/001.p/1",
        "tile/8/000.p/1",
        "tile/0/x036/x028/x797/x018/x963/968.p/1",
    ] {
        assert_eq!(path(beyond), None, "{beyond}");
    }
}

#[test]
fn an_edge_is_as_long_as_its_size_says() {
    let (edge, _) = written(&leaves_cheaply(70_000));
    let form = edge.to_bytes();
    assert_eq!(form.len(), 8 + (112 + 17 + 1) * 32);
    assert_eq!(Edge::from_bytes(&form), Ok(edge));
    assert_eq!(Edge::from_bytes(&form[..form.len() - 32]), Err(EdgeError::Length));
    assert_eq!(Edge::from_bytes(&form[..form.len() - 1]), Err(EdgeError::Length));
    assert_eq!(Edge::from_bytes(&[&form[..], &[0; 32]].concat()), Err(EdgeError::Length));
    assert_eq!(Edge::from_bytes(&[0; 7]), Err(EdgeError::Length));
    assert_eq!(Edge::from_bytes(&u64::MAX.to_be_bytes()), Err(EdgeError::Full));

    let widest = MAX_TREE_SIZE.to_be_bytes();
    let hashes = 7 * 255 + 127;
    let mut full = Edge::from_bytes(&[&widest[..], &vec![1; hashes * 32]].concat()).unwrap();
    assert!(full.to_bytes().len() <= MAX_EDGE_BYTES);
    assert_eq!(full.push(Hash::ZERO, |_, _| unreachable!()), Err(EdgeError::Full));
    assert_eq!(full.tiles().count(), 8);
    assert_eq!(full.root(), full.frontier().root());
    let mut last =
        Edge::from_bytes(&[&(MAX_TREE_SIZE - 1).to_be_bytes()[..], &vec![1; (hashes - 1) * 32]].concat()).unwrap();
    last.push(Hash::ZERO, |_, _| unreachable!()).unwrap();
}

#[test]
fn every_tile_that_was_altered_is_named() {
    let all = leaves_cheaply(66_000);
    let (edge, tiles) = written(&all);
    let read = |tiles: &Stored| VerifiedTiles::new(66_000, edge.root(), tiles.iter().map(|(at, bytes)| (*at, bytes)));
    assert_eq!(read(&tiles).unwrap().size(), 66_000);
    // Full tiles may be left out. Everything above what is there must be there.
    let some = ["tile/0/003", "tile/0/256", "tile/1/000"].map(|text| path(text).unwrap());
    let mut chosen: Stored = tiles.clone();
    chosen.retain(|tile, _| !tile.is_full() || some.contains(tile));
    read(&chosen).unwrap();
    for (tile, content) in &chosen {
        let mut altered = chosen.clone();
        altered.get_mut(tile).unwrap()[17] ^= 4;
        let error = read(&altered).unwrap_err();
        if tile.is_full() {
            // An altered tile does not fit to the one above, nor do those below to it; the first of them is named.
            let TileError::Mismatch(named) = error else { panic!("{tile}: {error}") };
            assert!(named == *tile || named.level() + 1 == tile.level(), "{tile}: {named}");
        } else {
            assert_eq!(error, TileError::RootMismatch, "{tile}");
        }
        let mut cut = chosen.clone();
        cut.get_mut(tile).unwrap().truncate(content.len() - 32);
        assert_eq!(read(&cut).unwrap_err(), TileError::Length(*tile));

        let mut without = chosen.clone();
        without.remove(tile);
        let leads_up = !tile.is_full() || tile.level() == 1;
        assert_eq!(read(&without).is_err(), leads_up, "{tile}");
        if leads_up {
            assert_eq!(read(&without).unwrap_err(), TileError::Missing(*tile));
        }
    }
    for foreign in ["tile/0/256.p/3", "tile/0/257.p/207", "tile/0/258.p/1", "tile/2/000.p/2", "tile/0/999"] {
        let foreign = path(foreign).unwrap();
        let mut more = chosen.clone();
        more.insert(foreign, vec![0; usize::from(foreign.width()) * 32]);
        assert_eq!(read(&more).unwrap_err(), TileError::Foreign(foreign), "{foreign}");
    }
    assert_eq!(VerifiedTiles::new(66_000, Hash::ZERO, chosen).unwrap_err(), TileError::RootMismatch);
}

#[test]
fn nodes_that_no_tile_has_are_not_read() {
    let all = leaves_cheaply(300);
    let (edge, tiles) = written(&all);
    let tiles = VerifiedTiles::new(300, edge.root(), tiles).unwrap();
    assert_eq!(tiles.read(Node { level: 0, index: 299 }), Some(all[299]));
    assert_eq!(tiles.read(Node { level: 8, index: 0 }), Some(subtree_hash(&all[..256])));
    for nowhere in [(0, 300), (3, 37), (8, 1), (9, 0), (63, 0), (64, 0), (255, 0), (7, u64::MAX), (0, u64::MAX)] {
        assert_eq!(tiles.read(Node { level: nowhere.0, index: nowhere.1 }), None, "{nowhere:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn paths_are_those_of_tlog_tiles(level in 0_u8..5, index in 0_u64..1 << 14, width in 1_u16..=256) {
        let ours = TileAddress::new(level, index, width).unwrap();
        let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), false);
        // They name the height, which C2SP does not: `tile/8/0/...`.
        let their_path = theirs.path().replacen("tile/8/", "tile/", 1);
        prop_assert_eq!(ours.to_string(), &their_path[..]);
        prop_assert_eq!(path(&their_path), Some(ours));
    }

    #[test]
    fn what_is_read_as_a_path_is_printed_so(text in "tile/[0-8x]{1,2}/[x0-9/.p]{0,14}") {
        if let Some(address) = path(&text) {
            prop_assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn a_growing_log_writes_the_tiles_of_tlog_tiles(old in 0_u64..200_000, more in 0_u64..70_000) {
        let ours: Vec<_> = new_tiles(old, old + more).into_iter().map(|tile| (tile.level(), tile.index(), u32::from(tile.width()))).collect();
        let theirs: Vec<_> = tlog_tiles::Tile::new_tiles(8, old, old + more).into_iter().map(|tile| (tile.level(), tile.level_index(), tile.width())).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn an_edge_grows_as_its_log(size in 0_usize..2_000, step in 1_usize..700) {
        let all = leaves_cheaply(size);
        let mut edge = Edge::new();
        let mut frontier = Frontier::new();
        for block in all.chunks(step) {
            let old_size = edge.size();
            let mut full = Vec::new();
            for &leaf in block {
                edge.push(leaf, |address, hashes| {
                    assert_eq!(hashes.len(), usize::from(TILE_WIDTH));
                    full.push(address);
                }).unwrap();
                frontier.push(leaf).unwrap();
            }
            // What the edge hands out is what a log that grew so has to write.
            let mut due = new_tiles(old_size, edge.size());
            due.retain(|tile| tile.is_full());
            full.sort();
            prop_assert_eq!(full, due);
            let partial: Vec<_> = edge.tiles().map(|(address, _)| address).collect();
            prop_assert_eq!(partial, partial_tiles(edge.size()));
            prop_assert_eq!(edge.root(), frontier.root());
            prop_assert_eq!(&edge.frontier(), &frontier);
            prop_assert_eq!(Edge::from_bytes(&edge.to_bytes()), Ok(edge.clone()));
        }
        prop_assert_eq!(edge.root(), subtree_hash(&all));
    }

    #[test]
    fn proofs_come_from_exactly_the_tiles_they_ask_for(size in 1_usize..3_000, at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let all = leaves_cheaply(size);
        let (edge, stored) = written(&all);
        let (index, end) = (at.index(size) as u64, to.index(size) as u64 + 1);
        let (first, last) = (index.min(end - 1), (index + 1).max(end));
        let size = size as u64;
        let only = |spans: &[Span]| {
            let wanted = tiles_for(spans, size);
            let brought = wanted.into_iter().map(|tile| (tile, &stored[&tile]));
            VerifiedTiles::new(size, edge.root(), brought).unwrap()
        };
        let leaves = Leaves(&all);
        prop_assert_eq!(root(size, &only(&[])), Ok(edge.root()));
        prop_assert_eq!(inclusion::prove(index, size, &only(&inclusion::spans(index, size))), inclusion::prove(index, size, &leaves));
        prop_assert_eq!(consistency::prove(end, size, &only(&consistency::spans(end, size))), consistency::prove(end, size, &leaves));
        prop_assert_eq!(range::prove(first..last, size, &only(&range::spans(first..last, size))), range::prove(first..last, size, &leaves));
    }
}

/// `tlog_tiles` reads our tiles, and takes each for what our checkpoint says.
struct Ours(Stored);

impl tlog_tiles::TileReader for Ours {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            self.0.get(&path.parse().unwrap()).cloned().ok_or(tlog_tiles::Error::InvalidTile)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn tlog_tiles_proves_records_from_our_tiles() {
    for size in [1, 255, 256, 257, 1_000, 66_000] {
        let all = leaves_cheaply(size);
        let (edge, tiles) = written(&all);
        let (size, root) = (size as u64, tlog_tiles::Hash(edge.root().0));
        let tiles = Ours(tiles);
        let reader = tlog_tiles::TileHashReader::new(size, root, &tiles);
        for index in [0, size / 3, size - 1] {
            let proof = tlog_tiles::prove_record(size, index, &reader).unwrap();
            let ours = proof.iter().map(|hash| Hash(hash.0)).collect::<Vec<_>>().try_into().unwrap();
            let leaf = all[usize::try_from(index).unwrap()];
            assert_eq!(inclusion::verify(&ours, index, leaf, size, edge.root()), Ok(()));
        }
        let old = size / 2 + 1;
        let proof = tlog_tiles::prove_tree(size, old, &reader).unwrap();
        let ours = proof.iter().map(|hash| Hash(hash.0)).collect::<Vec<_>>().try_into().unwrap();
        let old_root = subtree_hash(&all[..usize::try_from(old).unwrap()]);
        assert_eq!(consistency::verify(&ours, old, old_root, size, edge.root()), Ok(()));
    }
}
