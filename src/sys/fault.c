/* sys/fault.c - the table of planned failures and the recorder's hook; see fault.h. */
#include "sys/fault.h"

#ifdef POSTRIDER_FAULTS

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 8

struct fault {
	char     point[32], path[128];
	uint64_t left; /* calls until it fails; 0: empty place */
	bool     on;
	int      err;
};

static struct {
	pthread_mutex_t  lock;
	bool             env_read;
	struct fault     faults[FAULTS_MAX];
	fault_record_fn *fn;
	void            *arg;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void add(struct str point, struct str path, uint64_t nth, bool on, int err)
{
	for (size_t i = 0; i < FAULTS_MAX; i++) {
		struct fault *f = &state.faults[i];

		if (f->left > 0)
			continue;
		CHECK(str_to_c(point, f->point, sizeof(f->point)) && str_to_c(path, f->path, sizeof(f->path)));
		f->left = nth;
		f->on = on;
		f->err = err;
		return;
	}
	BUG("no place for another fault");
}

static int errno_of(struct str name)
{
	return str_eq(name, STR("ENOSPC")) ? ENOSPC : str_eq(name, STR("EROFS")) ? EROFS : EIO;
}

static void read_env(void)
{
	struct str rest = str_of(getenv("POSTRIDER_FAULT"));

	state.env_read = true;
	while (rest.n > 0) {
		struct str one, point, path, count;
		uint64_t   nth;

		str_cut(rest, ',', &one, &rest);
		str_cut(one, ':', &point, &one);
		str_cut(one, ':', &path, &one);
		str_cut(one, ':', &count, &one);
		if (str_take_u64(&count, &nth) && nth > 0)
			add(point, path, nth, str_eq(count, STR("+")), errno_of(one));
	}
}

int fault_at(const char *point, const char *path)
{
	int err = 0;

	pthread_mutex_lock(&state.lock);
	if (!state.env_read)
		read_env();
	for (size_t i = 0; i < FAULTS_MAX && !err; i++) {
		struct fault *f = &state.faults[i];

		if (f->left == 0 || strcmp(f->point, point) != 0 || !strstr(path, f->path))
			continue;
		if (f->left > 1) {
			f->left--;
			continue;
		}
		err = f->err;
		if (!f->on)
			f->left = 0;
	}
	pthread_mutex_unlock(&state.lock);
	return err;
}

void fault_set(const char *point, const char *path, unsigned nth, bool on, int err)
{
	pthread_mutex_lock(&state.lock);
	add(str_of(point), str_of(path), nth, on, err);
	pthread_mutex_unlock(&state.lock);
}

void fault_clear(void)
{
	pthread_mutex_lock(&state.lock);
	memset(state.faults, 0, sizeof(state.faults));
	state.env_read = true;
	pthread_mutex_unlock(&state.lock);
}

void fault_record_to(fault_record_fn *fn, void *arg)
{
	pthread_mutex_lock(&state.lock);
	state.fn = fn;
	state.arg = arg;
	pthread_mutex_unlock(&state.lock);
}

void fault_record(const struct fault_event *e)
{
	pthread_mutex_lock(&state.lock);
	if (state.fn)
		state.fn(state.arg, e);
	pthread_mutex_unlock(&state.lock);
}

#else
typedef int fault_not_compiled; /* a translation unit must not be empty */
#endif
