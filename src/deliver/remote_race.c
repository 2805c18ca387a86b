/* deliver/remote_race.c - contract is in remote_race.h. */
#include "deliver/remote_race.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "sys/clock.h"
#include "sys/fd.h"

static atomic_size_t places_taken; /* by all races of the process */

/* ---- places ---- */

static bool place_take(void)
{
	if (atomic_fetch_add(&places_taken, 1) < LIMIT_REMOTE_BESIDE_ALL)
		return true;
	atomic_fetch_sub(&places_taken, 1);
	return false;
}

static void places_give(struct remote_race *race, size_t keep)
{
	for (; race->places > keep; race->places--)
		atomic_fetch_sub(&places_taken, 1);
}

/* All but the first of those under way. */
static void places_unused_give(struct remote_race *race)
{
	places_give(race, race->count > 0 ? race->count - 1 : 0);
}

bool remote_race_room(const struct remote_race *race)
{
	return race->count < LEN(race->attempts);
}

bool remote_race_place(struct remote_race *race)
{
	if (!remote_race_room(race))
		return false;
	if (race->places < race->count && place_take())
		race->places++;
	return race->places >= race->count;
}

/* ---- start ---- */

/* The port is chosen when the connection is made: one port of ours can then serve connections to many hosts. */
static bool source_bind(int fd, const struct remote_target *t, struct str source, int *ret_errno)
{
	struct remote_address address;
	const int             on = 1;

	*ret_errno = EINVAL;
	if (!remote_address_parse(source, 0, &address) || address.sa.ss_family != t->address.sa.ss_family)
		return false;
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address.sa, address.sa_n) == 0)
		return true;
	*ret_errno = errno;
	return false;
}

/* Not even a packet was sent: no way to it, no port, no memory, a rule of this host. Only a refusal can have come from the target. */
static struct remote_connect_why failed_at_once(int err, struct str source)
{
	return (struct remote_connect_why){ .err = err, .source = source.n > 0 && err == EADDRNOTAVAIL, .ours = err != ECONNREFUSED };
}

static int connect_begin(const struct remote_target *t, struct str source, struct remote_connect_why *ret_why)
{
	int fd = socket(t->address.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	*ret_why = (struct remote_connect_why){ 0 };
	if (fd < 0) {
		*ret_why = (struct remote_connect_why){ .err = errno, .ours = true };
		return -1;
	}
	if (source.n > 0 && !source_bind(fd, t, source, &ret_why->err))
		ret_why->source = ret_why->ours = true;
	else if (connect(fd, (const struct sockaddr *)&t->address.sa, t->address.sa_n) == 0 || errno == EINPROGRESS)
		return fd;
	else
		*ret_why = failed_at_once(errno, source);
	fd_close(&fd);
	return -1;
}

bool remote_race_start(struct remote_race *race, const struct remote_target *target, struct remote_policy *policy, struct str source,
		       unsigned timeout_ms, struct remote_connect_why *ret_why)
{
	int     fd = connect_begin(target, source, ret_why);
	int64_t now = clock_mono_ms();

	CHECK(remote_race_room(race) && race->places >= race->count);
	if (fd < 0)
		return false;
	race->attempts[race->count++] = (struct remote_attempt){ target, policy, fd, now, now + timeout_ms };
	return true;
}

/* ---- wait ---- */

bool remote_attempt_slow(const struct remote_race *race, const struct remote_attempt *attempt)
{
	return clock_mono_ms() - attempt->began_ms >= race->beside_ms;
}

/* The youngest is the last. */
bool remote_race_slow(const struct remote_race *race)
{
	return race->count == 0 || remote_attempt_slow(race, &race->attempts[race->count - 1]);
}

static void take(struct remote_race *race, size_t i, struct remote_attempt *ret)
{
	*ret = race->attempts[i];
	race->count--;
	for (; i < race->count; i++)
		race->attempts[i] = race->attempts[i + 1];
	places_unused_give(race);
}

static void lose(struct remote_race *race, size_t i, int err, struct remote_attempt *ret, struct remote_connect_why *ret_why)
{
	take(race, i, ret);
	fd_close(&ret->fd);
	*ret_why = (struct remote_connect_why){ .err = err };
}

static int64_t next_end(const struct remote_race *race, bool more)
{
	int64_t end = more ? race->attempts[race->count - 1].began_ms + race->beside_ms : INT64_MAX;

	for (size_t i = 0; i < race->count; i++)
		end = MIN(end, race->attempts[i].until_ms);
	return end;
}

/* Why there is no connection. */
static int socket_error(int fd)
{
	int       err = 0;
	socklen_t n = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		return errno;
	return err != 0 ? err : ECONNRESET; /* it was connected, and is no more */
}

static void watch(const struct remote_race *race, struct pollfd *p)
{
	for (size_t i = 0; i < race->count; i++)
		p[i] = (struct pollfd){ .fd = race->attempts[i].fd, .events = POLLOUT };
}

static bool connected_take(struct remote_race *race, const struct pollfd *p, struct remote_attempt *ret)
{
	for (size_t i = 0; i < race->count; i++)
		if (p[i].revents != 0 && !(p[i].revents & (POLLERR | POLLHUP))) {
			take(race, i, ret);
			return true;
		}
	return false;
}

/* One that is connected before any that is not: nobody else need be tried then, and its time may be just over. A failure sets POLLERR; what it
 * was is told once. */
static bool look(struct remote_race *race, const struct pollfd *p, enum remote_race_event *ret_event, struct remote_attempt *ret,
		 struct remote_connect_why *ret_why)
{
	*ret_event = REMOTE_RACE_WON;
	if (connected_take(race, p, ret))
		return true;
	*ret_event = REMOTE_RACE_LOST;
	for (size_t i = 0; i < race->count; i++)
		if (p[i].revents != 0 || race->attempts[i].until_ms <= clock_mono_ms()) {
			lose(race, i, p[i].revents != 0 ? socket_error(p[i].fd) : ETIMEDOUT, ret, ret_why);
			return true;
		}
	*ret_event = REMOTE_RACE_SLOW;
	return false;
}

enum remote_race_event remote_race_wait(struct remote_race *race, bool more, struct remote_attempt *ret, struct remote_connect_why *ret_why)
{
	enum remote_race_event event = REMOTE_RACE_SLOW;
	struct pollfd          p[LIMIT_REMOTE_BESIDE];

	CHECK(race->count > 0);
	places_unused_give(race);
	watch(race, p);
	for (;;) {
		int64_t left = next_end(race, more) - clock_mono_ms(); /* MAX asks the clock twice, and poll waits for ever below zero */
		int     n = poll(p, race->count, (int)MIN(MAX(left, (int64_t)0), (int64_t)INT32_MAX));

		CHECK(n >= 0 || errno == EINTR || errno == ENOMEM);
		if (n >= 0 && (look(race, p, &event, ret, ret_why) || (more && remote_race_slow(race))))
			return event;
	}
}

bool remote_race_won(struct remote_race *race, struct remote_attempt *ret)
{
	struct pollfd p[LIMIT_REMOTE_BESIDE];

	watch(race, p);
	return poll(p, race->count, 0) > 0 && connected_take(race, p, ret);
}

void remote_race_end(struct remote_race *race)
{
	for (size_t i = 0; i < race->count; i++)
		fd_close(&race->attempts[i].fd);
	race->count = 0;
	places_give(race, 0);
}
