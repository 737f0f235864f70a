// The one live view of the page, shared by its pages.
import { Live } from './live.svelte'
import { session } from './session.svelte'

export const live = new Live(() => {
  // A refused stream says nothing about why: the session tells.
  void session.look().catch(() => {})
})
