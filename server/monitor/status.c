/* What a monitor holds and how it is, for other threads. */
#include <stdio.h>
#include <string.h>

#include "monitor_private.h"

static struct follower *find_follower(const struct monitor *m, const char *origin)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->follower[i].origin, origin) == 0)
			return &m->follower[i];
	return NULL;
}

/* The head up to which the kept tree is on disk. f->kept_lock is held. */
static enum vt_err begin_proof(struct tree_head *head, struct follower *f, uint64_t size)
{
	pthread_mutex_lock(&f->lock);
	*head = f->status.head;
	pthread_mutex_unlock(&f->lock);
	return f->kept == NULL || size > head->size ? VT_ENOTFOUND : VT_OK;
}

enum vt_err monitor_head(const struct monitor *m, const char *origin, struct buf *note)
{
	struct follower *f = find_follower(m, origin);
	enum vt_err err = VT_ENOTFOUND;

	if (f == NULL)
		return VT_ENOTFOUND;
	pthread_mutex_lock(&f->lock);
	if (f->held.len > 0)
		err = buf_append(note, buf_bytes(&f->held));
	pthread_mutex_unlock(&f->lock);
	return err;
}

enum vt_err monitor_root_at(const struct monitor *m, const char *origin, uint64_t size,
			    struct merkle_hash *out)
{
	struct follower *f = find_follower(m, origin);
	struct tree_head head;
	enum vt_err err;

	if (f == NULL)
		return VT_ENOTFOUND;
	pthread_rwlock_rdlock(&f->kept_lock);
	if ((err = begin_proof(&head, f, size)) == VT_OK)
		err = kept_root_at(out, f->kept, &head, size);
	pthread_rwlock_unlock(&f->kept_lock);
	return err;
}

enum vt_err monitor_consistency(const struct monitor *m, const char *origin, uint64_t first,
				uint64_t second, struct merkle_proof *out)
{
	struct follower *f = find_follower(m, origin);
	struct tree_head head;
	enum vt_err err;

	if (f == NULL)
		return VT_ENOTFOUND;
	if (first > second)
		return VT_EINVAL;
	pthread_rwlock_rdlock(&f->kept_lock);
	if ((err = begin_proof(&head, f, second)) == VT_OK)
		err = kept_consistency(out, f->kept, &head, first, second);
	pthread_rwlock_unlock(&f->kept_lock);
	return err;
}

size_t monitor_logs(const struct monitor *m)
{
	return m->n;
}

void monitor_log_status(const struct monitor *m, size_t i, struct monitor_log_status *out)
{
	struct follower *f = &m->follower[i];

	pthread_mutex_lock(&f->lock);
	*out = f->status;
	pthread_mutex_unlock(&f->lock);
}

void monitor_status(const struct monitor *m, struct monitor_status *out)
{
	*out = (struct monitor_status){
	    .waiting = outboxes_waiting(m->outboxes),
	    .waiting_bytes = outboxes_waiting_bytes(m->outboxes, NULL),
	    .raised = m->raised,
	    .delivered = m->delivered,
	    .failed_deliveries = m->failed_deliveries,
	    .delivery_fails = m->delivery_fails,
	};
}

enum vt_err monitor_standing(const struct monitor *m, struct standing_list *out)
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < m->n && err == VT_OK; i++) {
		struct follower *f = &m->follower[i];
		pthread_mutex_lock(&f->lock);
		for (size_t k = 0; k < f->standing.n && err == VT_OK; k++)
			err = standing_list_add(out, &f->standing.item[k]);
		pthread_mutex_unlock(&f->lock);
	}
	if (err == VT_OK)
		err = standing_evidence(out, m->dir);
	if (err == VT_OK && m->config.standing != NULL)
		err = m->config.standing(m->config.ctx, out);
	standing_list_drop_acknowledged(out, m->dir);
	standing_list_sort(out);
	return err;
}

enum vt_err monitor_recent(const struct monitor *m, struct buf *out)
{
	return outboxes_recent(m->outboxes, out);
}

bool monitor_ready(struct monitor *m, char why[MONITOR_WHY_MAX])
{
	struct monitor_log_status s;
	char quoted[120];

	if (monitor_check_writable(m, why) != VT_OK)
		return false;
	if (m->delivery_fails) {
		snprintf(why, MONITOR_WHY_MAX, "alerts cannot be delivered: %llu wait",
			 (unsigned long long)outboxes_waiting(m->outboxes));
		return false;
	}
	for (size_t i = 0; i < m->n; i++) {
		monitor_log_status(m, i, &s);
		if (s.rounds == 0)
			snprintf(why, MONITOR_WHY_MAX, "%s was not looked at yet",
				 problem_quote(quoted, sizeof(quoted), bytes_str(s.origin)));
		else if (s.stuck)
			snprintf(why, MONITOR_WHY_MAX, "%.90s: %.900s",
				 problem_quote(quoted, sizeof(quoted), bytes_str(s.origin)),
				 s.why.text);
		else
			continue;
		return false;
	}
	return true;
}
