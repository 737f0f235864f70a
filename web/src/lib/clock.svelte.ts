// One clock for the page, so that "3 s ago" moves everywhere at once and nothing ticks while nobody looks.
class Clock {
  now = $state(Date.now())

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = Date.now()
    }, 1000)
  }
}

export const clock = new Clock()
