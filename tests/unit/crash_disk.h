/* tests/unit/crash_disk.h - what a disk may hold after a power cut, from a recording of sys/fault.
 *
 * Record a history with crash_disk_record(); play its events one by one; at any point crash_disk_build() writes the files as they
 * may be after a power cut there: what was synced surely, of the rest nothing, all, or some of it and torn.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include "unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "sys/disk.h"
#include "sys/fault.h"

#define CRASH_NAMES 64

struct crash_write {
	struct crash_write  *next;
	bool             truncate;
	uint64_t         offset;
	struct str       data;
};
struct crash_inode {
	bool            dir;
	char           *p;
	size_t          n, cap;
	struct crash_write *first, **last;
};
struct crash_name {
	char          path[200];
	struct crash_inode *now, *durable;
};
struct crash_event {
	struct crash_event *next;
	struct fault_event e;
	char          path[200], other[200];
};
enum crash_variant { CRASH_NOTHING, CRASH_ALL, CRASH_SOME };
struct crash_disk {
	struct arena       *arena;
	struct crash_event *first, **last;
	size_t              events;
	struct crash_name   names[CRASH_NAMES];
	size_t              name_count;
	uint64_t            random;
};

/* ---- recording ---- */

static inline void crash_on_event(void *arg, const struct fault_event *e)
{
	struct crash_disk *c = arg;
	struct crash_event *ev;

	if (str_iends(str_of(e->path), STR(".lock")))
		return;
	ev = ARENA_NEW(c->arena, struct crash_event);
	ev->e = *e;
	ev->e.data = arena_dup(c->arena, e->data);
	snprintf(ev->path, sizeof(ev->path), "%s", e->path);
	snprintf(ev->other, sizeof(ev->other), "%s", e->other ? e->other : "");
	*c->last = ev;
	c->last = &ev->next;
	c->events++;
}

/* ---- the simulated disk ---- */

static inline struct crash_name *crash_name_get(struct crash_disk *c, const char *path)
{
	for (size_t i = 0; i < c->name_count; i++) {
		if (strcmp(c->names[i].path, path) == 0)
			return &c->names[i];
	}
	assert_true(c->name_count < CRASH_NAMES);
	snprintf(c->names[c->name_count].path, sizeof(c->names[0].path), "%s", path);
	return &c->names[c->name_count++];
}

static inline void crash_inode_done(void *inode)
{
	free(((struct crash_inode *)inode)->p);
}

/* Freed with the arena: it may be without a name, or with two. */
static inline struct crash_inode *crash_inode_new(struct crash_disk *c)
{
	struct crash_inode *i = ARENA_NEW(c->arena, struct crash_inode);

	i->last = &i->first;
	arena_defer(c->arena, crash_inode_done, i);
	return i;
}

static inline void crash_size_to(struct crash_inode *i, size_t n)
{
	if (n > i->cap) {
		i->cap = n * 2;
		i->p = realloc(i->p, i->cap);
	}
	if (n > i->n)
		memset(i->p + i->n, 0, n - i->n);
	i->n = n;
}

static inline void crash_op_apply(struct crash_inode *i, const struct crash_write *p, size_t n)
{
	if (p->truncate) {
		crash_size_to(i, (size_t)p->offset);
		return;
	}
	crash_size_to(i, MAX(i->n, (size_t)p->offset + n));
	if (n > 0)
		memcpy(i->p + p->offset, p->data.p, n);
}

static inline void crash_inode_sync(struct crash_inode *i)
{
	for (const struct crash_write *p = i->first; p; p = p->next)
		crash_op_apply(i, p, p->data.n);
	i->first = NULL;
	i->last = &i->first;
}

static inline void crash_inode_add(struct crash_disk *c, struct crash_inode *i, const struct crash_event *ev, bool truncate)
{
	struct crash_write *p = ARENA_NEW(c->arena, struct crash_write);

	p->truncate = truncate;
	p->offset = ev->e.offset;
	p->data = ev->e.data;
	*i->last = p;
	i->last = &p->next;
}

static inline void crash_dir_of(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');

	sprintf(out, "%.*s", slash ? (int)(slash - path) : 0, path);
}

static inline void crash_disk_play(struct crash_disk *c, const struct crash_event *ev)
{
	struct crash_name *n = NULL;
	char         dir[200];

	if (ev->e.kind < FAULT_EVENT_SYNC_DIR)
		n = crash_name_get(c, ev->path);
	switch (ev->e.kind) {
	case FAULT_EVENT_CREATE:   n->now = crash_inode_new(c); break;
	case FAULT_EVENT_MKDIR:
		n->now = crash_inode_new(c);
		n->now->dir = true;
		break;
	case FAULT_EVENT_WRITE:    crash_inode_add(c, n->now, ev, false); break;
	case FAULT_EVENT_TRUNCATE: crash_inode_add(c, n->now, ev, true); break;
	case FAULT_EVENT_SYNC:     crash_inode_sync(n->now); break;
	case FAULT_EVENT_UNLINK:   n->now = NULL; break;
	case FAULT_EVENT_RENAME:
		crash_name_get(c, ev->other)->now = n->now;
		n->now = NULL;
		break;
	case FAULT_EVENT_SYNC_DIR:
		for (size_t i = 0; i < c->name_count; i++) {
			crash_dir_of(c->names[i].path, dir);
			if (strcmp(dir, ev->path) == 0)
				c->names[i].durable = c->names[i].now;
		}
		break;
	case FAULT_EVENT_SYNC_FS:
		for (size_t i = 0; i < c->name_count; i++) {
			c->names[i].durable = c->names[i].now;
			if (c->names[i].now)
				crash_inode_sync(c->names[i].now);
		}
		break;
	case FAULT_EVENT_MARK: break;
	}
}

static inline unsigned crash_below(struct crash_disk *c, unsigned n)
{
	c->random = c->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(c->random >> 33) % n;
}



static inline void crash_make_parents(int fd, const char *path)
{
	char part[200];

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		enum status st;

		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		st = disk_make_dir(fd, part);
		assert_true(st == ST_OK || st == ST_EXISTS);
	}
}

static inline void crash_write_out(struct crash_disk *c, int fd, const char *path, const struct crash_inode *from, enum crash_variant v)
{
	struct crash_inode image = { 0 };
	int          f;

	crash_size_to(&image, from->n);
	if (from->n > 0)
		memcpy(image.p, from->p, from->n);
	for (const struct crash_write *p = from->first; p && v != CRASH_NOTHING; p = p->next) {
		if (v == CRASH_ALL || crash_below(c, 2))
			crash_op_apply(&image, p, v == CRASH_SOME && crash_below(c, 4) == 0 ? p->data.n / 1024 * 512 : p->data.n);
	}
	crash_make_parents(fd, path);
	assert_int_equal(ST_OK, disk_open(fd, path, DISK_NEW, &f));
	assert_int_equal(ST_OK, disk_write_at(f, path, 0, str_n(image.p, image.n)));
	fd_close(&f);
	free(image.p);
}

static inline void crash_disk_build(struct crash_disk *c, int fd, enum crash_variant v)
{
	bool names_kept = v == CRASH_ALL || (v == CRASH_SOME && crash_below(c, 2));

	for (size_t i = 0; i < c->name_count; i++) {
		const struct crash_inode *from = names_kept ? c->names[i].now : c->names[i].durable;

		if (from && from->dir) {
			enum status st;

			crash_make_parents(fd, c->names[i].path);
			st = disk_make_dir(fd, c->names[i].path);
			assert_true(st == ST_OK || st == ST_EXISTS);
		} else if (from)
			crash_write_out(c, fd, c->names[i].path, from, v);
	}
}

static inline void crash_disk_record(struct crash_disk *c)
{
	c->last = &c->first;
	fault_record_to(crash_on_event, c);
}

#endif
